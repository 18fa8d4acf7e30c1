import { testPart } from './random-sweep.ts';

testPart(2);
