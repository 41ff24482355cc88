from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('durable_django', '0006_verbs'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='workflow',
            options={
                'permissions': [('view_payload', 'Can view payloads')],
                'verbose_name': 'workflow',
                'verbose_name_plural': 'workflows',
            },
        ),
    ]
