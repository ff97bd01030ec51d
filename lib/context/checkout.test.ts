import { createHash } from "node:crypto";
import { realpathSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { openCheckout } from "./checkout";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

test.each(["Dockerfile", "docker/base"])(
    "what is hashed of a file is what was parsed, whatever its name: %s",
    (name) => {
        const root = realpathSync(tree({ [name]: "FROM a\n" }));
        const checkout = openCheckout(root);
        expect(checkout.text(name)).toBe("FROM a\n");
        writeFileSync(path.join(root, name), "FROM b\n");
        expect(checkout.hash(path.join(root, name))).toBe(sha256("FROM a\n"));
        expect(checkout.text(name)).toBe("FROM a\n");
    },
);
