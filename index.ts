import { ImageHierarchy } from "./components/imageHierarchy";
import { readConfig } from "./config";
import { images as definitions } from "./images";
import { prepareLayers } from "./lib/layers";

// The engine starts the program in the repository's root; everything that enters the state is relative to it.
const root = process.cwd();

const config = readConfig();
const layers = prepareLayers(root, definitions, config);
const hierarchy = new ImageHierarchy("images", { layers, root, stageRoot: ".stage" });

/** Per image: the promoted ref and digest, the digest of each platform, and the parent. */
export const images = hierarchy.outputs();
