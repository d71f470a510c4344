version="0.3"
tags={
	"Gameplay"
	"Culture"
}
name="Salt Roads"
supported_version="1.12.*"
