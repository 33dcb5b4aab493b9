package parts

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// installed returns the first installed program that fits, or "" and for each
// that does not fit a sentence that says why.
func (r recipe) installed(ctx context.Context, name Part) (path string, refused []string) {
	for _, candidate := range r.candidates(name) {
		version, err := askVersion(ctx, candidate, r.askVersion)
		switch {
		case err != nil:
			refused = append(refused, fmt.Sprintf("%s does not tell its version: %v", candidate, err))
		case !r.fits.ok(version):
			refused = append(refused, fmt.Sprintf("%s has version %s, want %s", candidate, version, r.fits.want))
		default:
			return candidate, nil
		}
	}
	return "", refused
}

// candidates are the absolute paths where the program is installed, if it is.
func (r recipe) candidates(name Part) []string {
	var paths []string
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); r.assets && dir != "" {
		paths = append(paths, filepath.Join(dir, string(name)))
	}
	if found, err := exec.LookPath(string(name)); r.path && err == nil {
		paths = append(paths, found)
	}
	var present []string
	for _, path := range paths {
		if abs, err := filepath.Abs(path); err == nil && exists(abs) {
			present = append(present, abs)
		}
	}
	return present
}

func askVersion(ctx context.Context, path string, args []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// stdout alone: a warning on stderr can name a file, and that can look like a version.
	output, err := exec.CommandContext(ctx, path, args...).Output()
	if err != nil {
		return "", err
	}
	version := parseVersion(string(output))
	if version == "" {
		return "", fmt.Errorf("no version in %.80q", output)
	}
	return version, nil
}
