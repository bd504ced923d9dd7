"""The best set: of twins one, quality and coverage together, some held out; and others like a chosen one."""
