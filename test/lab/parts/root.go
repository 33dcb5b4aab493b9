package parts

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// findRoot finds the checkout from where this file was compiled, and if that is
// no path (-trimpath) or gone, from the working directory.
func findRoot() (string, error) {
	_, file, _, _ := runtime.Caller(0)
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for _, start := range []string{filepath.Dir(file), wd} {
		if root, ok := rootAbove(start); ok {
			return root, nil
		}
	}
	return "", fmt.Errorf("no checkout of Headgate at or above %s, whose build modules the lab needs: run it from inside one", wd)
}

// rootAbove looks for the go.mod of the product. The nested modules on the way
// there have longer names.
func rootAbove(dir string) (string, bool) {
	if !filepath.IsAbs(dir) {
		return "", false
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.Contains("\n"+string(text), "\nmodule github.com/headgate/headgate\n") {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}
