import * as definitions from "./images";
import { program } from "./program";

export = program(definitions);
