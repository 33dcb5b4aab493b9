package parts

import (
	"regexp"

	"golang.org/x/mod/semver"
)

// fit is the rule for an installed program. The zero value fits nothing.
type fit struct {
	want string // the rule in words, as in "3.7 or later"
	ok   func(version string) bool
}

// atLeast wants the minor version or a later one. A release candidate of the
// minor version itself comes before it.
func atLeast(minor string) fit {
	return fit{
		want: minor + " or later",
		ok:   func(version string) bool { return semver.Compare("v"+version, "v"+minor) >= 0 },
	}
}

// release wants a patch release of exactly this minor version.
func release(minor string) fit {
	return fit{
		want: minor,
		ok:   func(version string) bool { return semver.MajorMinor("v"+version) == "v"+minor },
	}
}

var versionPattern = regexp.MustCompile(`\bv?(\d+\.\d+(?:\.\d+)?(?:[-+][0-9A-Za-z.+-]+)?)`)

// parseVersion finds the first version in what a program prints about itself;
// "" if there is none. "Kubernetes v1.37.2", "etcd Version: 3.7.0\nGit SHA: …"
// and Debian's "prometheus, version 2.42.0+ds (branch: …)" are the forms met.
func parseVersion(output string) string {
	match := versionPattern.FindStringSubmatch(output)
	if match == nil {
		return ""
	}
	return match[1]
}
