import { expect, test } from "../../tests/mocha";
import { type Compression, compressionIn, compressionSchema, registryExport } from "./compression";

test.each<[unknown, Compression, string]>([
    ["zstd", { type: "zstd" }, "zstd"],
    ["gzip", { type: "gzip" }, "gzip"],
    [{ type: "zstd", level: 19 }, { type: "zstd", level: 19 }, "zstd (level 19)"],
    [{ type: "gzip", level: 0 }, { type: "gzip", level: 0 }, "gzip (level 0)"],
])("%j is read, and found again in the exporter", (given, read, text) => {
    expect(compressionSchema.parse(given)).toEqual(read);
    expect(compressionIn(registryExport(read))).toBe(text);
});

test("the usual exporter is the one that published images were built with: another text would rebuild them all", () => {
    expect(registryExport()).toBe("type=registry,rewrite-timestamp=true,compression=zstd,oci-mediatypes=true");
});

test("gzip converts the layers of roots, too, because its readers know nothing else", () => {
    expect(registryExport({ type: "gzip" })).toContain(",force-compression=true");
});

test.each<[unknown, RegExp]>([
    ["estargz", /neither "zstd", "gzip" nor/],
    [{ type: "gzip", level: 10 }, /levels of gzip are 0 to 9/],
    [{ type: "zstd", level: 23 }, /levels of zstd are 0 to 22/],
    [{ type: "zstd", level: 1.5 }, /neither "zstd"/],
    [{ type: "zstd", levels: 3 }, /neither "zstd"/],
])("%j is refused", (given, message) => {
    expect(compressionSchema.safeParse(given).error?.issues[0]?.message).toMatch(message);
});

test("an exporter without a compression has none", () => {
    expect(compressionIn("type=oci,rewrite-timestamp=true")).toBeUndefined();
});
