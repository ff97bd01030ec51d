const used = /uses: (\S+)@([0-9a-f]{40}) # (v[\w.-]+)/g;

/**
 * Takes the versions of actions from workflow files into the text of pins.ts: Dependabot writes them into the generated
 * files, which is not where they come from.
 *
 * @param pins text of pins.ts
 * @param workflows texts of workflow files
 * @returns the text of pins.ts with these versions, and the actions that changed
 */
export function takePins(
    pins: string,
    workflows: readonly string[],
): { readonly text: string; readonly taken: string[] } {
    const taken = new Set<string>();
    let text = pins;
    for (const [, action = "", commit = "", version = ""] of workflows.flatMap((one) => [...one.matchAll(used)])) {
        const wanted = `pin("${action}", "${version}", "${commit}")`;
        const pattern = new RegExp(`pin\\(\\s*"${action}",\\s*"[^"]*",\\s*"[0-9a-f]{40}",?\\s*\\)`);
        const known = pattern.exec(text)?.[0];
        if (known === undefined || text.includes(wanted)) continue;
        text = text.replace(known, wanted);
        taken.add(`${action} ${version}`);
    }
    return { text, taken: [...taken] };
}
