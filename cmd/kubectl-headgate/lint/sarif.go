package lint

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// Sarif returns findings in the Static Analysis Results Interchange Format 2.1.0, which
// GitHub code scanning reads. version is that of this program.
func Sarif(findings []Finding, version string) any {
	driver := sarifDriver{Name: "kubectl-headgate", Version: version, InformationURI: "https://github.com/headgate/headgate",
		Rules: []sarifRule{}}
	results := []sarifResult{}
	for _, f := range findings {
		at := slices.IndexFunc(driver.Rules, func(r sarifRule) bool { return r.ID == f.Rule })
		if at < 0 {
			at = len(driver.Rules)
			driver.Rules = append(driver.Rules, newSarifRule(f.Rule))
		}
		results = append(results, sarifResult{
			RuleID: f.Rule, RuleIndex: at, Level: string(f.Severity), Message: sarifText{f.Object + ": " + f.Message},
			Locations: []sarifLocation{locationOf(f)},
		})
	}
	return sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0",
		Runs: []sarifRun{{Tool: sarifTool{driver}, Results: results}},
	}
}

func newSarifRule(rule string) sarifRule {
	meaning := strings.ReplaceAll(Meaning(rule), "`", "")
	first, _, _ := strings.Cut(meaning, ". ")
	return sarifRule{ID: rule, Short: sarifText{strings.TrimSuffix(first, ".")}, Full: sarifText{meaning},
		HelpURI: "https://github.com/headgate/headgate/blob/main/docs/plugin.md#lint"}
}

func locationOf(f Finding) sarifLocation {
	uri := url.URL{Path: filepath.ToSlash(f.File)}
	if filepath.IsAbs(f.File) {
		uri.Scheme = "file"
	}
	l := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{uri.String()}}}
	if f.Line > 0 {
		l.Physical.Region = &sarifRegion{f.Line}
	}
	return l
}

type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string    `json:"id"`
		Short   sarifText `json:"shortDescription"`
		Full    sarifText `json:"fullDescription"`
		HelpURI string    `json:"helpUri"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
)
