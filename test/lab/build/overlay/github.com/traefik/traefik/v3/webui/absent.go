// Package webui is absent: the lab's Traefik has no dashboard.
package webui

import (
	"embed"
	"io/fs"
)

// FS is empty.
var FS fs.FS = embed.FS{}
