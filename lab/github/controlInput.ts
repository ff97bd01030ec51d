import { z } from "zod";
import { permissionNames } from "../../lib/github/permissions";
import type { Incoming } from "./api";
import { Refusal } from "./errors";
import { parseBody } from "./request";

const level = z.enum(["read", "write"]);
const until = z.iso.datetime().transform((text) => Math.ceil(Date.parse(text) / 1000));

/** Input of the control API, by subject. */
export const bodies = {
    token: z.strictObject({
        login: z.string().min(1),
        scopes: z.array(z.string()).optional(),
        permissions: z.partialRecord(z.enum(permissionNames), level).optional(),
    }),
    repository: z.strictObject({ owner: z.string().min(1), name: z.string().min(1), private: z.boolean().optional() }),
    settings: z.strictObject({
        archived: z.boolean().optional(),
        private: z.boolean().optional(),
        protected: z.array(z.string()).optional(),
    }),
    push: z.strictObject({
        branch: z.string().optional(),
        message: z.string().default("Change from outside"),
        /** Path → text; null deletes. */
        files: z.record(z.string(), z.string().nullable()),
    }),
    value: z.strictObject({ value: z.string() }),
    limits: z.strictObject({
        primary: z.strictObject({ until, left: z.int().min(0).optional() }).optional(),
        secondary: z.strictObject({ until, retryAfter: z.int().min(0) }).optional(),
    }),
    outages: z.strictObject({ count: z.int().min(0) }),
};

/**
 * Parses the body of a request to the control API.
 *
 * @throws Refusal 400 for a body that is not JSON, 422 with the list of errors for other invalid input
 */
export function parseInput<T extends z.ZodType>(schema: T, incoming: Incoming): z.output<T> {
    const result = schema.safeParse(parseBody(incoming.body));
    if (!result.success) throw new Refusal(422, z.prettifyError(result.error));
    return result.data;
}
