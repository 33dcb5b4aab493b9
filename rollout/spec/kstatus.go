package spec

// reportKstatus is the value of AnnotationReportStatus.
const reportKstatus = "kstatus"

// ReportsKstatus says whether the user of a Deployment with these annotations wants
// ConditionReconciling and ConditionStalled. It does not matter whether the other
// annotations parse: that they do not is what the conditions say then.
func ReportsKstatus(annotations map[string]string) bool {
	return OptedIn(annotations) && annotations[AnnotationReportStatus] == reportKstatus
}

func parseReportStatus(text string) (bool, error) {
	if text != reportKstatus {
		return false, wrong(text, "the only value is kstatus; remove the annotation to report nothing")
	}
	return true, nil
}
