package lab

import (
	"fmt"
	"os"
	"strings"

	"github.com/headgate/headgate/test/lab/app"
	"github.com/headgate/headgate/test/lab/node"
	"github.com/headgate/headgate/test/lab/parts"
	"github.com/headgate/headgate/test/lab/smoke"
)

const (
	// AppImage is the repository of the sample service's images. The tag is the version
	// that it answers with.
	AppImage = "headgate.dev/lab/app"
	// SmokeImage is the repository of the smoke test's images (package smoke). Any tag works.
	SmokeImage = "headgate.dev/lab/smoke"
)

// RunAsPod runs the program of an image and ends the process, if this process was
// started as a pod's container. Otherwise it returns at once. A program that reads its
// arguments before it calls Prepare must call RunAsPod first: in a pod they are the
// container's arguments.
func RunAsPod() {
	app.Run()
	smoke.Run()
}

// program returns the program of an image: one of the samples, or Headgate as it is in
// this checkout, whatever tag the chart gives it.
func (l *Lab) program(image string) (node.Program, error) {
	repository, version, _ := strings.Cut(image, ":")
	switch {
	case repository == AppImage && version != "":
		self, err := os.Executable()
		return node.Program{Path: self, Env: []string{app.VersionVariable + "=" + version}, Hollow: true}, err
	case repository == SmokeImage && version != "":
		self, err := os.Executable()
		return node.Program{Path: self, Env: []string{smoke.VersionVariable + "=" + version}}, err
	case strings.HasSuffix(repository, "/headgate") && l.paths[parts.Headgate] != "":
		return node.Program{Path: l.paths[parts.Headgate]}, nil
	}
	return node.Program{}, fmt.Errorf("the lab has no image %q: use %s:VERSION or %s:VERSION", image, AppImage, SmokeImage)
}
