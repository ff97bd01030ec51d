import type { RepositoryDefinitions } from "../../workflows/definition";

const image = (key: string) => ({
    description: `the image ${key}`,
    name: `registry.example/orchard/${key}:stable`,
    dockerfile: `images/${key}.Dockerfile`,
    platforms: ["linux/amd64"] as const,
});

/**
 * The definitions of a repository whose images, files, workflows and commands are none of this repository's: two watched images, a third one
 * that is watched together with its parent and in which checks run, and no workflow that every push starts.
 */
export const invented: RepositoryDefinitions = {
    images: { soil: image("soil"), greenhouse: image("greenhouse"), shop: image("shop") },
    workflows: {
        up: [
            { file: "soil.yml", name: "Soil and greenhouse", images: ["soil", "greenhouse"], minutes: 45 },
            { file: "shop.yml", name: "Shop", images: ["shop"], after: "soil.yml" },
        ],
        checks: [
            {
                file: "harvest.yml",
                name: "Harvest",
                image: "greenhouse",
                minutes: 5,
                steps: [
                    { name: "Plant", run: "make plant\nmake water", env: { SEASON: "spring" } },
                    { name: "Count", run: "make count", always: true },
                ],
            },
        ],
        releases: { provenance: true, signature: true },
        cleanup: { keepReleases: 3 },
        review: { schedule: "5 6 * * 2,5", minutes: 30, build: true, bump: false },
        dependabot: { ecosystems: [{ ecosystem: "gomod", directory: "/shop" }], patchesOnly: ["debian"] },
    },
};

/** The files that its images read. */
export const inventedFiles: Readonly<Record<string, string>> = {
    "images/soil.Dockerfile": "FROM debian:13\nCOPY soil/ /soil/\n",
    "images/greenhouse.Dockerfile": "FROM registry.example/orchard/soil:stable\nCOPY glass.txt /\n",
    "images/shop.Dockerfile": "FROM registry.example/orchard/soil:stable\nCOPY shop/ /shop/\n",
    "soil/loam.txt": "",
    "glass.txt": "",
    "shop/till.go": "",
};
