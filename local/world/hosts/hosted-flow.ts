import type { WorldFlow } from '../parse/incident.ts';
import type { Conversation } from '../physics/conversation.ts';

/** One flow of the file and the conversation in which it goes on at present. */
export interface HostedFlow {
  readonly flow: WorldFlow;
  talk: Conversation;
}
