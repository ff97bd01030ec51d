const actionUse = /uses: (\S+)@([0-9a-f]{40}) # (v[\w.-]+)/g;

/**
 * Copies the versions of actions from workflow files into the text of pins.ts. Dependabot updates the generated workflow files, but
 * pins.ts is their source.
 *
 * @param pins text of pins.ts
 * @param workflows texts of the workflow files
 * @returns the text of pins.ts with the versions of the workflow files, and the actions that changed, each as "<action> <version>"
 */
export function takePins(
    pins: string,
    workflows: readonly string[],
): { readonly text: string; readonly taken: string[] } {
    const taken = new Set<string>();
    let text = pins;
    for (const [, action = "", commit = "", version = ""] of workflows.flatMap((workflow) => [
        ...workflow.matchAll(actionUse),
    ])) {
        const newPin = `pin("${action}", "${version}", "${commit}")`;
        const pattern = new RegExp(`pin\\(\\s*"${action}",\\s*"[^"]*",\\s*"[0-9a-f]{40}",?\\s*\\)`);
        const oldPin = pattern.exec(text)?.[0];
        if (oldPin === undefined || text.includes(newPin)) continue;
        text = text.replace(oldPin, newPin);
        taken.add(`${action} ${version}`);
    }
    return { text, taken: [...taken] };
}
