# prints a greeting
echo hello
