require("./lib/system/typescript.cjs").registerTypeScript();

module.exports = require("./program").program();
