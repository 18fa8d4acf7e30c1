import { testNamedWorlds } from './named-sweep.ts';

testNamedWorlds(1, 3);
