import { z } from "zod";

/** Highest level by type: those of BuildKit's exporters. */
const highest = { zstd: 22, gzip: 9 } as const;

/** How the layers of published images are compressed. */
export interface Compression {
    /** Docker before 23 reads gzip only. */
    readonly type: keyof typeof highest;
    /** 0 to 9 for gzip, 0 to 22 for zstd; absent for BuildKit's own choice. */
    readonly level?: number;
}

/** The setting of a stack that has none. */
export const usualCompression: Compression = { type: "zstd" };

const type = z.enum(["zstd", "gzip"]);

/** `layered-images:compression`: a type, or an object with a type and a level. */
export const compressionSchema = z
    .union([type.transform((name): Compression => ({ type: name })), z.strictObject({ type, level: z.int().min(0) })], {
        error: 'neither "zstd", "gzip" nor an object with type and level',
    })
    .superRefine(({ type: name, level = 0 }, context) => {
        if (level <= highest[name]) return;
        context.addIssue({ code: "custom", path: ["level"], message: `levels of ${name} are 0 to ${highest[name]}` });
    });

/**
 * Returns the exporter of a published image: to its registry, with timestamps rewritten to SOURCE_DATE_EPOCH. With gzip
 * all layers are converted, those of a root too: whoever chooses it has readers that know nothing else. With zstd the
 * layers of a root stay as they are, because whoever reads zstd reads gzip as well.
 */
export function registryExport({ type, level }: Compression = usualCompression): string {
    const more = [
        ...(level === undefined ? [] : [`,compression-level=${level}`]),
        ...(type === "gzip" ? [",force-compression=true"] : []),
    ];
    return `type=registry,rewrite-timestamp=true,compression=${type},oci-mediatypes=true${more.join("")}`;
}

/** Describes the compression in an exporter: "gzip", "zstd (level 19)"; undefined if it names none. */
export function compressionIn(exporter: string): string | undefined {
    const field = (name: string) => new RegExp(`(?:^|,)${name}=([^,]+)`).exec(exporter)?.[1];
    const [found, level] = [field("compression"), field("compression-level")];
    return found === undefined || level === undefined ? found : `${found} (level ${level})`;
}
