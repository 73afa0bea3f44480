/** mezz.yaml after the schema accepted it: the types its settings then have. */
import type { DoubtRule, InstanceMode } from '../base/manifest.ts';
import type { DialectName, HintName } from '../base/model.ts';
import type { CredentialChoice, ToolAuth } from '../base/ports.ts';
import type { LabOptions } from '../drivers/lab/options.ts';
import type { Config, KeySource, LimitConfig } from './config.ts';

export interface RawLab extends Partial<Omit<LabOptions, 'failures'>> {
  readonly fail?: LabOptions['failures'];
}
export interface RawEngine {
  readonly threads?: number;
  readonly sequences?: number;
  readonly kept?: number;
  readonly window?: number;
}
export interface RawBackend {
  readonly url?: string;
  readonly dialects?: readonly DialectName[];
  readonly credential?: CredentialChoice;
  readonly provider?: string;
  readonly key?: KeySource;
  readonly account?: string;
  readonly slots?: number;
  readonly cacheTokens?: number;
  readonly continues?: boolean | 'tokens';
  readonly prefills?: boolean;
  readonly hints?: readonly HintName[];
  readonly idleTimeout?: string;
  readonly lab?: RawLab;
  readonly engine?: RawEngine;
}
export interface RawPrice {
  readonly input: number;
  readonly output: number;
  readonly cacheRead?: number;
  readonly cacheWrite?: number;
}
export interface RawModel {
  readonly backends: readonly string[];
  readonly alias?: string;
  readonly price?: 'free' | RawPrice;
  readonly window?: number;
}
export interface RawLimit extends Pick<LimitConfig, 'scope' | 'dimension' | 'period'> {
  readonly cap: string | number;
  readonly strict?: boolean;
}
export interface RawAccount {
  readonly parent?: string;
  readonly owner?: string;
  readonly streams?: number;
  readonly usdPerHour?: number;
}

export interface RawConfig {
  readonly port?: number;
  readonly backends?: Readonly<Record<string, RawBackend | null>>;
  readonly models?: Readonly<Record<string, RawModel | null>>;
  readonly accounts?: Readonly<Record<string, RawAccount>>;
  readonly limits?: readonly RawLimit[];
  readonly access?: { readonly profile?: Config['access']['profile']; readonly files?: readonly string[] };
  readonly scheduling?: {
    readonly policy?: string;
    readonly maxWait?: string;
    readonly queue?: number;
    readonly weights?: Readonly<Record<string, number>>;
  };
  readonly journal?: {
    readonly entriesDays?: number;
    readonly bodies?: Config['journal']['bodies'];
    readonly keepDays?: number;
    readonly keepBytes?: string;
  };
  readonly ask?: { readonly hold?: string; readonly expires?: string };
  readonly loop?: { readonly repeats?: number; readonly window?: string; readonly usdPerHour?: number };
  readonly rateLimit?: { readonly on?: Config['rateLimit']['on']; readonly maxHold?: string };
  readonly hold?: Config['hold'];
  readonly hostedTools?: readonly string[];
  readonly tools?: Readonly<
    Record<
      string,
      {
        readonly command?: readonly string[];
        readonly url?: string;
        readonly headers?: Readonly<Record<string, string | KeySource>>;
        readonly protocol?: string;
        readonly auth?: RawAuth;
        readonly env?: Readonly<Record<string, string | KeySource>>;
        readonly cwd?: string;
        readonly openapi?: string;
        readonly baseUrl?: string;
        readonly key?: KeySource;
        readonly manifest?: string;
        readonly trusted?: boolean;
        readonly calls?: number;
        readonly instance?: InstanceMode;
        readonly idle?: string;
        readonly lease?: string;
        readonly perMinute?: number;
        readonly resultCharacters?: number;
        readonly doubt?: DoubtRule;
        readonly taskAfter?: string;
      }
    >
  >;
}

export interface RawAuth extends ToolAuth {
  readonly secret?: KeySource;
  readonly privateKey?: KeySource;
}
