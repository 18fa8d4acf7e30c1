import { testNamedWorlds } from './named-sweep.ts';

testNamedWorlds(3, 3);
