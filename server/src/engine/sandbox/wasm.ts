/** WebAssembly as far as it is used here. TypeScript declares it only together with a browser's window. */
interface Compiler {
  readonly compile: (bytes: Uint8Array) => Promise<Wasm>
}

/** Compiled code, which threads share. */
export type Wasm = object & { readonly wasm?: never }

export const compileWasm = (bytes: Uint8Array): Promise<Wasm> =>
  (globalThis as unknown as { readonly WebAssembly: Compiler }).WebAssembly.compile(bytes)
