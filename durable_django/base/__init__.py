"""The foundations: no models here, nothing from the floors above."""
