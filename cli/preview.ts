import { refuseLosses } from "./losses";
import { type PulumiOptions, endOf, openSession, reportDuration } from "./session";
import { onStackOfSettings } from "./stackOfSettings";

/** Runs `pulumi preview` on the lab's stack, after setting up the lab, or on another stack. Returns Pulumi's exit code. */
export const runPreview = (args: readonly string[], options: PulumiOptions): Promise<number> =>
    onStackOfSettings(options, false, () => previewOn(args, options));

async function previewOn(args: readonly string[], options: PulumiOptions): Promise<number> {
    const start = Date.now();
    const { engine, pulumi, printed } = await openSession(options, false);
    await refuseLosses(engine);
    const ready = Date.now();
    const code = await pulumi("preview", ["--suppress-outputs", ...args]);
    reportDuration("preview", start, ready);
    return endOf("preview", code, printed);
}
