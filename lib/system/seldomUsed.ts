import Module, { createRequire } from "node:module";

/**
 * Makes a module that other modules import as a namespace load when one of its exports is first used.
 *
 * @param requireFrom loads modules as seen from the module that imports it
 * @param name as `requireFrom` takes it; unknown names and modules that are loaded already are left alone
 */
export function loadAtFirstUse(requireFrom: NodeJS.Require, name: string): void {
    let file: string;
    try {
        file = requireFrom.resolve(name);
    } catch {
        // Another version of the package does without it.
        return;
    }
    if (requireFrom.cache[file]) return;
    let loaded: object | undefined;
    const load = (): object => {
        if (!loaded) {
            // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- the way to load a module again
            delete requireFrom.cache[file];
            loaded = requireFrom(name) as object;
        }
        return loaded;
    };
    const standIn = new Module(file);
    standIn.filename = file;
    standIn.loaded = true;
    // A compiled `import * as` takes a module with this mark as it is, and copies all exports of others.
    standIn.exports = new Proxy(
        {},
        {
            get: (_, key) => (key === "__esModule" ? true : (Reflect.get(load(), key) as unknown)),
            has: (_, key) => Reflect.has(load(), key),
            ownKeys: () => Reflect.ownKeys(load()),
            // import() takes over what is an own property. Of an object that has none, a proxy may show only configurable ones.
            getOwnPropertyDescriptor: (_, key) => {
                const descriptor = Reflect.getOwnPropertyDescriptor(load(), key);
                return descriptor && { ...descriptor, configurable: true };
            },
        },
    );
    requireFrom.cache[file] = standIn;
}

/**
 * Modules of packages that most runs load and do not use, by the package that imports them. Whoever imports these packages first has to import this
 * module before.
 */
const seldomUsed: Readonly<Record<string, readonly string[]>> = {
    // Used only to serialise functions (dynamic providers): together half a second of processor time, more than the rest of the SDK.
    "@pulumi/pulumi": ["./typescript-shim", "@npmcli/arborist"],
    // The translations of its messages take half as long as the rest of it.
    zod: ["./v4/locales/index.cjs"],
    // Imported by this package: for requests to registries, and for files that most runs do not read.
    "": ["undici", "yaml"],
};

for (const [importer, names] of Object.entries(seldomUsed)) {
    const requireFrom = createRequire(importer === "" ? __filename : require.resolve(importer));
    for (const name of names) loadAtFirstUse(requireFrom, name);
}
