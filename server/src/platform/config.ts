/** A setting, declared in the module that owns it. The reference page and `.env.example` are generated from these. */
export type SettingDeclaration =
  | (Common & { readonly type: 'text'; readonly default: string | null })
  | (Common & {
      readonly type: 'url'
      /** `http` and `https` when not given. */
      readonly protocols?: readonly string[]
      readonly default: string | null
    })
  | (Common & { readonly type: 'base64'; readonly bytes: number; readonly default: null })
  | (Common & { readonly type: 'list'; readonly default: readonly string[] })
  | (Common & { readonly type: 'flag'; readonly default: boolean })
  | (Common & { readonly type: 'integer'; readonly default: number; readonly min: number; readonly max: number })
  | (Common & { readonly type: 'choice'; readonly choices: readonly string[]; readonly default: string })

interface Common {
  /** The environment variable. `<env>_FILE` names a file that holds the value instead. */
  readonly env: string
  readonly doc: string
  /** Masked wherever the configuration is shown. */
  readonly secret?: true
}

export interface SettingDeclarations {
  readonly [name: string]: SettingDeclaration
}

type ValueOf<D> = D extends { type: 'integer' }
  ? number
  : D extends { type: 'flag' }
    ? boolean
    : D extends { type: 'list' }
      ? readonly string[]
      : D extends { type: 'base64' }
        ? Buffer | null
        : D extends { type: 'choice'; choices: readonly (infer Choice)[] }
          ? Choice
          : D extends { default: string }
            ? string
            : string | null

export type SettingValues<D extends SettingDeclarations> = { readonly [Name in keyof D]: ValueOf<D[Name]> }

export interface Settings<D extends SettingDeclarations> {
  readonly declarations: D
}

export const defineSettings = <const D extends SettingDeclarations>(declarations: D): Settings<D> => ({ declarations })
