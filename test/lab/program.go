package lab

import (
	"fmt"
	"os"
	"strings"

	"github.com/headgate/headgate/test/lab/app"
	"github.com/headgate/headgate/test/lab/node"
	"github.com/headgate/headgate/test/lab/parts"
)

// AppImage is the repository of the sample service's images; the tag is the version it answers with.
const AppImage = "headgate.dev/lab/app"

// program says what an image stands for: the sample service, or the product as it is in this
// checkout whatever tag the chart gives it.
func (l *Lab) program(image string) (node.Program, error) {
	repository, version, _ := strings.Cut(image, ":")
	switch {
	case repository == AppImage && version != "":
		self, err := os.Executable()
		return node.Program{Path: self, Env: []string{app.VersionVariable + "=" + version}, Hollow: true}, err
	case strings.HasSuffix(repository, "/headgate") && l.paths[parts.Headgate] != "":
		return node.Program{Path: l.paths[parts.Headgate]}, nil
	}
	return node.Program{}, fmt.Errorf("the lab has no image %q: use %s:VERSION", image, AppImage)
}
