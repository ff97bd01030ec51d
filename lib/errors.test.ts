import { expect, test } from "../tests/mocha";
import { InputError, asInputError } from "./errors";

test("a file that may not be touched is told as bad input, with the command that gives it back", () => {
    const refused = Object.assign(new Error("EACCES: permission denied"), { code: "EACCES", path: "/r/.stage/base" });
    expect(asInputError(refused)?.message).toBe(
        "/r/.stage/base can't be read or written (EACCES)\n  next: if an earlier command ran with sudo, restore the owner of " +
            "its files: sudo chown -R \"$(id -un)\" '/r/.stage/base'",
    );
});

test.each([
    [{ code: "EROFS", path: "/r/.stage" }, /^\/r\/\.stage can't be read or written \(EROFS\)\n {2}next: .*read-only/],
    [{ code: "ENOSPC", syscall: "write" }, /^a file can't be read or written \(ENOSPC\)\n {2}next: the disk is full/],
    [
        { code: "ENOENT", syscall: "mkdtemp", path: "/none/x-XXXXXX" },
        /x-XXXXXX can't be read or written \(ENOENT\)\n {2}next: set TMPDIR/,
    ],
    [{ code: "ENAMETOOLONG", path: "/r/kkk" }, /\(ENAMETOOLONG\)\n {2}next: a name in this path is longer/],
    [{ code: "EMFILE", path: "/r/a" }, /\(EMFILE\)\n {2}next: .*ulimit -n 1024/],
    [{ code: "EISDIR", path: "/r/a" }, /\(EISDIR\)\n {2}next: .*mv '\/r\/a' '\/r\/a.away'/],
])("a disk or a system that takes nothing is none of the program's faults: %j", (error, message) => {
    expect(asInputError(Object.assign(new Error("no"), error))?.message).toMatch(message);
});

test("bad input stays what it is; a fault of the program is none", () => {
    const input = new InputError({ problem: "p", allowed: ["a", "b"] });
    expect(asInputError(input)).toBe(input);
    expect(asInputError(new TypeError("x is undefined"))).toBeUndefined();
    expect(asInputError(Object.assign(new Error("gone"), { code: "ENOENT", path: "/x" }))).toBeUndefined();
});
