import fc from 'fast-check';

// What a property finds by luck, another run would not find: then the score would be another one.
fc.configureGlobal({ seed: 20_260_115 });
