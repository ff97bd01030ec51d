/opt/tools/tool
