require("../system/typescript.cjs").registerTypeScript({ replace: true });

require("./pack").makePack();
