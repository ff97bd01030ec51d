import { expect, test } from "vitest";
import { RegistryError } from "../lib/registry";
import { askRegistries } from "./ask";

test("a reference that stands in the state several times is asked for once", async () => {
    const asked: string[] = [];
    const read = (ref: string) => {
        asked.push(ref);
        return Promise.resolve(undefined);
    };
    const answers = await askRegistries(["ghcr.io/a:1", "ghcr.io/b:1", "ghcr.io/a:1"], {}, read);
    expect(asked).toEqual(["ghcr.io/a:1", "ghcr.io/b:1"]);
    expect([...answers.keys()]).toEqual(asked);
});

test("a registry that hangs holds up what was asked at once, and nothing after it", async () => {
    let asked = 0;
    const read = (ref: string) => {
        asked += 1;
        if (ref.startsWith("fine.example")) return Promise.resolve(undefined);
        return Promise.reject(new RegistryError("hangs.example", "no answer", true));
    };
    const refs = Array.from({ length: 100 }, (_, index) => `hangs.example/a:${index.toString()}`);
    const answers = await askRegistries([...refs, "fine.example/a:1"], {}, read);
    expect(asked).toBeLessThan(25);
    expect(refs.map((ref) => answers.get(ref))).toEqual(refs.map(() => ({ unknown: "no answer" })));
    expect(answers.get("fine.example/a:1")).toEqual({ found: undefined });
});
