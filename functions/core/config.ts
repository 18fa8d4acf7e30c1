import type { Chosen, SETTINGS } from './settings.ts';

/** What the deployment chose, as steps read it; each entry is explained in the table of settings. */
export type Config = Chosen<typeof SETTINGS>;
