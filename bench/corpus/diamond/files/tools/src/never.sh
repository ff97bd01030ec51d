# prints the date of nothing
echo never
