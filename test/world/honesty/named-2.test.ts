import { testNamedWorlds } from './named-sweep.ts';

testNamedWorlds(2, 3);
