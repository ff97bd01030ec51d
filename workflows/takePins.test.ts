import { expect, test } from "../tests/mocha";
import { takePins } from "./takePins";

const [old, next] = ["a".repeat(40), "b".repeat(40)];
const pins = `checkout: pin("actions/checkout", "v1.0.0", "${old}"),\nnode: pin("actions/setup-node", "v2.0.0", "${old}"),\n`;

test("takes the versions that Dependabot wrote, and leaves the others", () => {
    const { text, taken } = takePins(pins, [
        `- uses: actions/checkout@${next} # v1.1.0\n- uses: other/action@${next} # v9\n`,
    ]);
    expect(text).toBe(pins.replace(`"v1.0.0", "${old}"`, `"v1.1.0", "${next}"`));
    expect(taken).toEqual(["actions/checkout v1.1.0"]);
});

test("finds pins over several lines, and takes nothing where nothing is new", () => {
    const split = `pin(\n    "actions/checkout",\n    "v1.0.0",\n    "${old}",\n)`;
    expect(takePins(split, [`uses: actions/checkout@${next} # v2.0.0 # zizmor: ignore[x] y`]).text).toBe(
        `pin("actions/checkout", "v2.0.0", "${next}")`,
    );
    expect(takePins(pins, [`uses: actions/checkout@${old} # v1.0.0`])).toEqual({ text: pins, taken: [] });
});
