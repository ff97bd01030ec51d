import { z } from "zod";
import { sizeSchema } from "../hierarchy/size";

/** The rules, by the names under which the stack's configuration and the policy pack know them, each with what it refuses. */
export const rules = {
    "no-loss": "Deleting or replacing a published build or tag whose digest would leave the registry",
    "smoke-test": "A published image without a smoke test",
    "parent-by-digest": "A published image that is built from a tag instead of a digest",
    "no-credentials": "A build argument that looks like a token or a password",
    "max-size": "A published image whose layers are larger than its budget",
} as const;

/** The name of a rule. */
export type Rule = keyof typeof rules;

/** What a violation of a rule does: refuse, warn, or nothing. */
export type Level = "mandatory" | "advisory" | "disabled";

const levels: readonly Level[] = ["mandatory", "advisory", "disabled"];
const level = z.enum(levels, { error: `none of ${levels.join(", ")}` });

const levelByRule = {
    "no-loss": level.optional(),
    "smoke-test": level.optional(),
    "parent-by-digest": level.optional(),
    "no-credentials": level.optional(),
    "max-size": level.optional(),
} satisfies Record<Rule, z.ZodType>;

/** `layered-images:policy`. */
export const policySchema = z.strictObject({
    level: level.optional(),
    rules: z.strictObject(levelByRule).optional(),
    maxSize: sizeSchema.optional(),
});

/** The policy of a stack. */
export interface PolicySettings {
    /** The level of the rules that `rules` does not name. Default: "mandatory". */
    readonly level?: Level | undefined;
    /** Levels of single rules. */
    readonly rules?: Readonly<Partial<Record<Rule, Level | undefined>>> | undefined;
    /** The budget of published images whose entry in images.ts has no `maxSize`. Default: none. */
    readonly maxSize?: string | undefined;
}

/** The keys of the setting, by the path of the object that contains them. */
export const policyKeys: Readonly<Record<string, readonly string[]>> = {
    policy: Object.keys(policySchema.shape),
    "policy.rules": Object.keys(rules),
};

/** Returns the level of a rule in a stack; a stack without a policy has no rules. */
export const levelOf = (settings: PolicySettings | undefined, rule: Rule): Level =>
    settings ? (settings.rules?.[rule] ?? settings.level ?? "mandatory") : "disabled";
