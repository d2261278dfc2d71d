"""What mean-field theory expects of a network before its first update. numpy only: no torch in here."""
