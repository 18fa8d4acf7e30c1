declare module 'asl-validator' {
  function validate(definition: object): { readonly isValid: boolean; readonly errors: readonly object[] };
  export = validate;
}
