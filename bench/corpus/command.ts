import { writeFileSync } from "node:fs";
import path from "node:path";
import { InputError } from "../../lib/errors";
import { packageRoot } from "../../lib/system/paths";
import { startTestLab } from "../../tests/lab";
import { type Hierarchy, readCorpus } from "./corpus";
import { type Measured, measureChange, publish, publishRoots } from "./measure";
import { report } from "./report";

const resultsFile = path.join(packageRoot, "bench", "corpus", "results.json");

/**
 * Makes the changes of the rebuild corpus in a lab of its own, and prints what this program, `docker buildx bake` and workflows with path
 * filters rebuild, compared with the labels. A run of the whole corpus writes bench/corpus/results.json.
 *
 * @param names hierarchies, and changes as `<hierarchy>/<id>`; all by default
 * @throws InputError for a name that there is not
 * @throws CommandError if a build fails
 */
export async function runCorpus(names: readonly string[]): Promise<void> {
    const corpus = readCorpus();
    const changes = corpus.flatMap(({ name, changes }) => changes.map(({ id }) => `${name}/${id}`));
    const allowed = [...corpus.map(({ name }) => name), ...changes];
    const unknown = names.find((name) => !allowed.includes(name));
    if (unknown !== undefined) {
        throw new InputError({
            problem: `the corpus has no "${unknown}"`,
            allowed: corpus.map(({ name }) => name),
            next: "name a hierarchy, or a change as <hierarchy>/<id>",
        });
    }
    const isWanted = (name: string, id: string) =>
        names.length === 0 || names.includes(name) || names.includes(`${name}/${id}`);
    const lab = await startTestLab("host");
    try {
        const roots = await publishRoots(lab, [...new Set(corpus.flatMap((hierarchy) => hierarchy.roots))]);
        const measure = async (hierarchy: Hierarchy): Promise<Measured[]> => {
            const wanted = hierarchy.changes.filter(({ id }) => isWanted(hierarchy.name, id));
            const results: Measured[] = [];
            if (wanted.length === 0) return results;
            const published = await publish(lab, hierarchy, roots);
            for (const [index, change] of wanted.entries()) {
                console.error(`${hierarchy.name}/${change.id} (${index + 1} of ${wanted.length})`);
                results.push(await measureChange(lab, published, change));
            }
            return results;
        };
        // An engine waits a lot: together they take half the time, and no hierarchy has a step of another one.
        const results = (await Promise.all(corpus.map(measure))).flat();
        if (names.length === 0) writeFileSync(resultsFile, `${JSON.stringify(results, undefined, 4)}\n`);
        console.log(report(results));
    } finally {
        await lab.close();
    }
}
