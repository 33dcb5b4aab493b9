package parts

import "testing"

func TestParseVersion(t *testing.T) {
	tests := map[string]struct{ output, want string }{
		"kube-apiserver":              {"Kubernetes v1.37.2\n", "1.37.2"},
		"a vendor's kube-apiserver":   {"Kubernetes v1.37.2-eks-4a5b6c7\n", "1.37.2-eks-4a5b6c7"},
		"etcd":                        {"etcd Version: 3.7.0\nGit SHA: Not provided\nGo Version: go1.26.8\n", "3.7.0"},
		"traefik":                     {"Version:      3.7.13\nCodename:     cheddar\nGo version:   go1.26.8\n", "3.7.13"},
		"Debian's prometheus":         {"prometheus, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5)\n", "2.42.0+ds"},
		"a version and no name":       {"v3.15.0+gc4e37b3\n", "3.15.0+gc4e37b3"},
		"a version of two numbers":    {"v4.3\n", "4.3"},
		"a build without a version":   {"Version: dev\n", ""},
		"a number that is no version": {"built 2026\n", ""},
		"nothing":                     {"", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := parseVersion(test.output); got != test.want {
				t.Errorf("parseVersion(%q) = %q, want %q", test.output, got, test.want)
			}
		})
	}
}

func TestFits(t *testing.T) {
	tests := map[string]struct {
		rule    fit
		version string
		want    bool
	}{
		"a patch of the wanted minor version":              {release("1.37"), "1.37.9", true},
		"a vendor's patch of it":                           {release("1.37"), "1.37.2-eks-4a5b6c7", true},
		"the minor version before":                         {release("1.37"), "1.36.4", false},
		"the minor version after":                          {release("1.37"), "1.38.0", false},
		"a minor version that begins with the same digits": {release("1.3"), "1.37.2", false},
		"exactly the least":                                {atLeast("3.7"), "3.7.0", true},
		"more digits are more, not less":                   {atLeast("3.7"), "3.12.1", true},
		"a later major version":                            {atLeast("3.15"), "4.3.1", true},
		"too old":                                          {atLeast("2.40"), "2.39.2", false},
		"a release candidate of the least":                 {atLeast("3.7"), "3.7.0-rc.1", false},
		"a package revision of the least":                  {atLeast("2.40"), "2.40.0+ds", true},
		"no version":                                       {atLeast("3.7"), "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.rule.ok(test.version); got != test.want {
				t.Errorf("version %q, want %s: fits = %v, want %v", test.version, test.rule.want, got, test.want)
			}
		})
	}
}
