import { inflateSync } from "node:zlib";

/** A decoded picture. */
export interface Picture {
    readonly width: number;
    readonly height: number;
    /** Returns the colour of a pixel: "#rrggbb". */
    readonly at: (x: number, y: number) => string;
}

/** Returns the neighbour (left, above, or above left) that is nearest to left + above - aboveLeft. */
function paeth(left: number, above: number, aboveLeft: number): number {
    const distance = (one: number) => Math.abs(left + above - aboveLeft - one);
    const [a, b, c] = [distance(left), distance(above), distance(aboveLeft)];
    return a <= b && a <= c ? left : b <= c ? above : aboveLeft;
}

/** The values that a line's filter adds to a byte, by filter type (PNG, third edition, 9.2). */
const filters: readonly ((left: number, above: number, aboveLeft: number) => number)[] = [
    () => 0,
    (left) => left,
    (_, above) => above,
    (left, above) => (left + above) >> 1,
    paeth,
];

/**
 * Reads a PNG with 8 bits per channel, with or without alpha, not interlaced: the format of a browser's screenshots.
 *
 * @throws Error if the file has another format
 */
export function readPng(file: Buffer): Picture {
    if (file.toString("latin1", 1, 4) !== "PNG") throw new Error("this is no PNG");
    const chunks: { readonly type: string; readonly data: Buffer }[] = [];
    for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at)) {
        const data = file.subarray(at + 8, at + 8 + file.readUInt32BE(at));
        chunks.push({ type: file.toString("latin1", at + 4, at + 8), data });
    }
    const header = chunks[0]?.data ?? Buffer.alloc(13);
    const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
    const channels = { 2: 3, 6: 4 }[header[9] ?? 0];
    if (header[8] !== 8 || channels === undefined || header[12] !== 0) throw new Error("a PNG of another kind");
    const lines = inflateSync(Buffer.concat(chunks.filter(({ type }) => type === "IDAT").map(({ data }) => data)));
    const stride = width * channels;
    const pixels = Buffer.alloc(stride * height);
    for (let y = 0; y < height; y += 1) {
        const filter = filters[lines[y * (stride + 1)] ?? 0];
        if (!filter) throw new Error("a PNG with an unknown filter");
        for (let x = 0; x < stride; x += 1) {
            const before = (dx: number, dy: number) =>
                x < dx || y < dy ? 0 : (pixels[(y - dy) * stride + x - dx] ?? 0);
            const added = filter(before(channels, 0), before(0, 1), before(channels, 1));
            pixels[y * stride + x] = ((lines[y * (stride + 1) + 1 + x] ?? 0) + added) & 255;
        }
    }
    const at = (x: number, y: number) =>
        `#${pixels.subarray(y * stride + x * channels, y * stride + x * channels + 3).toString("hex")}`;
    return { width, height, at };
}
