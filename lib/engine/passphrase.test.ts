import { expect, test } from "../../tests/mocha";
import { isPassphrase } from "./passphrase";

/** Of a stack that Pulumi made with the passphrase "lab". */
const salt = "v1:DRDI6WCkP8w=:v1:29rKpGK4WbQtbVzr:tMXilMgD5kYYvf9gz1LaYzmkDMMHJQ==";

test.each<[string, string, boolean | undefined]>([
    ["lab", salt, true],
    ["lap", salt, false],
    ["", salt, false],
    ["lab", "v2:abc", undefined],
])("whether %j is the passphrase is known from the stack's file", async (passphrase, file, known) => {
    expect(await isPassphrase(file, passphrase)).toBe(known);
});
