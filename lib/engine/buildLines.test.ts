import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { buildLines } from "./buildLines";

const image = (name: string, text: string, state = "creating (2s)") =>
    ` +  docker-build:index:Image ${name} ${state} ${text}\n`;

describe("what an update prints", () => {
    const shortened = (...pieces: string[]) => {
        const lines = buildLines();
        return pieces.map((piece) => lines.write(piece)).join("") + lines.end();
    };

    test("has the name of an image before each line of its build, and no empty ones after the first", () => {
        const output = [
            image("a-amd64", "", "creating (0s)"),
            image("b-arm64", "#1 DONE 0.1s", "creating replacement (1m3s)"),
            image("a-amd64", "#4 ERROR: not found"),
            image("a-amd64", ""),
            image("a-amd64", "warning: x", "\u001b[0mupdating (3s)"),
        ];
        expect(shortened(output.join(""))).toBe(
            `${output[0] ?? ""}    b-arm64: #1 DONE 0.1s\n    a-amd64: #4 ERROR: not found\n    a-amd64: warning: x\n`,
        );
    });

    test("has what differs in an image once", () => {
        const begin = image("a", "[diff: ~context,tags]", "updating (0s)");
        const later = ["", "#1 DONE 0.1s"].map((text) =>
            image("a", `[diff: ~context,tags]; ${text}`, "updating (1s)[retain]"),
        );
        expect(shortened(begin, ...later)).toBe(`${begin}    a: #1 DONE 0.1s\n`);
    });

    test("is the same in whatever pieces it comes", () => {
        const output = image("a", "#1 one") + "@ updating....\n" + image("a", "") + image("a", "two") + "\nend";
        expect(shortened(...output.split(/(?=[^])/))).toBe(shortened(output));
        expect(shortened(output)).toBe("    a: #1 one\n@ updating....\n    a: two\n\nend");
    });

    test.each([
        image("a-amd64", "#12 DONE 0.0s", "created (3s)"),
        image("a-amd64", "error: the build failed", "**creating failed**"),
        " +  docker-build:index:Index a creating (0s) \n",
        "  docker-build:index:Image (a-amd64):\n    error: the build failed\n",
        "    error: docker-build:index:Image a creating (it) failed\n",
    ])("stays as it is otherwise: %j", (output) => {
        expect(shortened(output)).toBe(output);
    });

    test("shows a line that grows at once", () => {
        const lines = buildLines();
        expect(["@ updating", ".", ".\n ~"].map((piece) => lines.write(piece))).toEqual(["@ updating", ".", ".\n"]);
    });
});
