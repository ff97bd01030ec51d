require("../system/typescript.cjs").registerTypeScript({ replace: true });

// @pulumi/policy reads the version of the pack from the package.json there.
process.chdir(__dirname);
require("./pack").makePack();
