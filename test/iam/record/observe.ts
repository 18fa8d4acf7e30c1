import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll } from 'vitest';
import type { Config } from '../../../functions/core/config.ts';
import { localConfig } from '../../../local/simulate.ts';
import { OBSERVERS } from '../../../local/world/api/middleware.ts';
import { asksOf } from '../support/asks.ts';
import { type CallRecord, keyOf, RECORDS } from '../support/records.ts';
import { runningFunction } from './running.ts';

const seen = new Map<string, CallRecord>();
let [calls, unattributed] = [0, 0];

const optionsOf = new WeakMap<Config, readonly string[]>();

/** The options of a run that are not those of a stack as it comes. */
function changedOptions(config: Config, NaclEntryQuota: number): readonly string[] {
  const known = optionsOf.get(config);
  if (known !== undefined) return known;
  const { accountId: AccountId, region: Region } = config;
  const usual = new Map<string, unknown>(Object.entries(localConfig({ AccountId, Region, NaclEntryQuota })));
  const changed = Object.entries(config)
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(usual.get(name)))
    .map(([name]) => name)
    .sort();
  optionsOf.set(config, changed);
  return changed;
}

OBSERVERS.push((call, state, memory) => {
  const caller = runningFunction();
  if (caller === undefined) {
    // The test itself, or a part of a function that it calls by hand.
    unattributed += 1;
    return;
  }
  calls += 1;
  const record: CallRecord = {
    function: caller.name,
    api: `${call.service}:${call.call}`,
    options: changedOptions(caller.config, state.NaclEntryQuota),
    asks: asksOf(call, state, memory),
  };
  seen.set(keyOf(record), record);
});

afterAll(() => {
  const folder = process.env[RECORDS];
  if (folder === undefined) throw new Error(`${RECORDS} does not say where the records go`);
  mkdirSync(folder, { recursive: true });
  const name = `${process.pid}-${process.hrtime.bigint()}.json`;
  writeFileSync(`${folder}/${name}`, JSON.stringify({ calls, unattributed, records: [...seen.values()] }));
});
