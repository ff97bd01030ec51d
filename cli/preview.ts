import { type PulumiOptions, openSession, tellDuration } from "./session";

/** `npm run preview`: sets up the lab, or takes another stack, and runs `pulumi preview`. Returns Pulumi's exit code. */
export async function runPreview(args: readonly string[], options: PulumiOptions): Promise<number> {
    const start = Date.now();
    const { pulumi } = await openSession(options, false);
    const ready = Date.now();
    const code = await pulumi("preview", args);
    tellDuration("preview", start, ready);
    return code;
}
