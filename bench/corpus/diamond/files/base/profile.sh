export CORPUS=diamond
