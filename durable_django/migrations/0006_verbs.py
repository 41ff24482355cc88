from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('durable_django', '0005_retention'),
    ]

    operations = [
        migrations.AddField(
            model_name='workflow',
            name='on_cancel',
            field=models.CharField(blank=True, db_default='', default='', max_length=255),
        ),
        migrations.AddField(
            model_name='workflow',
            name='on_failure',
            field=models.CharField(blank=True, db_default='', default='', max_length=255),
        ),
    ]
