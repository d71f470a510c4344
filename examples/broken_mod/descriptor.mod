version="0.1"
name="Broken on purpose"
supported_version="1.12.*"
